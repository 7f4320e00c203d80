/** Elements for webview pages. Text goes in as text nodes only: nothing that a repository says is ever parsed as markup. */
import { count, percent } from "../figures.ts";

export interface Attributes {
  readonly class?: string;
  readonly title?: string;
  readonly role?: string;
  readonly label?: string;
  readonly onClick?: () => void;
}

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: readonly (Node | string | null)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  const { class: className, title, role, label, onClick } = attributes;
  if (className !== undefined) made.className = className;
  if (title !== undefined) made.title = title;
  if (role !== undefined) made.setAttribute("role", role);
  if (label !== undefined) made.setAttribute("aria-label", label);
  if (onClick) made.addEventListener("click", onClick);
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

export function button(text: string, className: string, onClick: () => void, title?: string): HTMLButtonElement {
  const made = element("button", { class: className, onClick, ...(title === undefined ? {} : { title }) }, text);
  made.type = "button";
  if (text === "" && title !== undefined) made.setAttribute("aria-label", title);
  return made;
}

/** Drawn like the editor's own icons, whose font pages do not get. */
const icons = {
  copy: "M5.5 4.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-2M3.5 4.5h6a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1z",
} as const;

export function icon(name: keyof typeof icons): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("viewBox", "0 0 16 16");
  made.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", icons[name]);
  made.append(line);
  return made;
}

/** How much of what the repository may take it takes. */
export function budgetMeter(usedTokens: number, repositoryTokens: number): HTMLElement {
  const share = repositoryTokens > 0 ? Math.min(1, usedTokens / repositoryTokens) : 0;
  const title = `${count(usedTokens)} of ${count(repositoryTokens)} tokens, ${percent(share, 0)} of the budget`;
  const filled = element("div", {});
  filled.style.width = percent(share, 2).replace(" ", "");
  const meter = element("div", { class: "meter", role: "meter", label: "Budget", title }, filled);
  const values = { valuemin: "0", valuemax: String(repositoryTokens), valuenow: String(usedTokens), valuetext: title };
  for (const [name, value] of Object.entries(values)) meter.setAttribute(`aria-${name}`, value);
  return meter;
}

/** A bar that screen readers read, too; `share` null: it only moves. */
export function progressBar(text: string, share: number | null): HTMLElement {
  const bar = document.createElement("progress");
  bar.max = 1;
  if (share !== null) bar.value = share;
  bar.setAttribute("aria-label", text);
  return bar;
}
