/** The context as nested rectangles: an area is a number of tokens. */
import { hierarchy, treemap, treemapSquarify } from "d3-hierarchy";
import type { MapFile } from "./messages.ts";

export interface Box {
  readonly kind: "folder" | "file" | "rest";
  readonly path: string;
  readonly name: string;
  readonly tokens: number;
  /** Of the files given to `layOut`; null for a folder, and for the rest of one: files too small to draw. */
  readonly index: number | null;
  readonly fileCount: number;
  /** Pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Node {
  readonly kind: Box["kind"];
  readonly path: string;
  readonly name: string;
  readonly tokens: number;
  readonly index: number | null;
  readonly fileCount: number;
  readonly children: Node[];
}

/** Pixels for a folder's name. */
const titleHeight = 18;
/** Square pixels below which a file is drawn with its small neighbours as one. */
const minArea = 40;

/** In drawing order: a folder before what lies in it. */
export function layOut(files: readonly MapFile[], width: number, height: number): readonly Box[] {
  const total = files.reduce((sum, { tokens }) => sum + tokens, 0);
  if (total === 0 || width <= 0 || height <= 0) return [];
  const root = nest(files, (minArea * total) / (width * height));
  const laid = treemap<Node>()
    .tile(treemapSquarify.ratio(1.3))
    .size([width, height])
    .round(true)
    .paddingInner(2)
    .paddingOuter((node) => (node.depth === 0 ? 0 : 3))
    .paddingTop((node) => (node.depth === 0 ? 0 : titleHeight))(
    hierarchy(root)
      .sum((node) => (node.kind === "folder" ? 0 : node.tokens))
      .sort((a, b) => (b.value ?? 0) - (a.value ?? 0)),
  );
  return laid
    .descendants()
    .slice(1)
    .map(({ data, value, x0, y0, x1, y1 }) => ({
      kind: data.kind,
      path: data.path,
      name: data.name,
      index: data.index,
      fileCount: data.kind === "folder" ? countFiles(data) : data.fileCount,
      tokens: value ?? 0,
      x: x0,
      y: y0,
      width: x1 - x0,
      height: y1 - y0,
    }));
}

function countFiles(node: Node): number {
  return node.children.reduce((sum, child) => sum + countFiles(child), node.fileCount);
}

function nest(files: readonly MapFile[], smallTokens: number): Node {
  const root = folder("", "");
  const folders = new Map([["", root]]);
  const rests = new Map<string, { tokens: number; fileCount: number }>();
  for (const [index, { path, tokens }] of files.entries()) {
    const slash = path.lastIndexOf("/") + 1;
    const parent = path.slice(0, slash);
    if (tokens < smallTokens) {
      const rest = rests.get(parent) ?? { tokens: 0, fileCount: 0 };
      rests.set(parent, { tokens: rest.tokens + tokens, fileCount: rest.fileCount + 1 });
    } else {
      const name = path.slice(slash);
      folderAt(folders, parent).children.push({ kind: "file", path, name, tokens, index, fileCount: 1, children: [] });
    }
  }
  for (const [parent, { tokens, fileCount }] of rests) {
    const name = `${fileCount} small files`;
    folderAt(folders, parent).children.push({
      kind: "rest",
      path: parent,
      name,
      tokens,
      index: null,
      fileCount,
      children: [],
    });
  }
  return root;
}

function folderAt(folders: Map<string, Node>, path: string): Node {
  const known = folders.get(path);
  if (known) return known;
  const slash = path.lastIndexOf("/", path.length - 2) + 1;
  const made = folder(path, path.slice(slash, -1));
  folders.set(path, made);
  folderAt(folders, path.slice(0, slash)).children.push(made);
  return made;
}

function folder(path: string, name: string): Node {
  return { kind: "folder", path, name, tokens: 0, index: null, fileCount: 0, children: [] };
}
