/** Elements for webview pages. Text goes in as text nodes only: nothing that a repository says is ever parsed as markup. */
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
  return made;
}

/** A bar that screen readers read, too; `share` null: it only moves. */
export function progressBar(text: string, share: number | null): HTMLElement {
  const bar = document.createElement("progress");
  bar.max = 1;
  if (share !== null) bar.value = share;
  bar.setAttribute("aria-label", text);
  return bar;
}
