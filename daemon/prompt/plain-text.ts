/**
 * Control characters (C0 less tab and line end, DEL, C1: with them terminal escapes), the bidirectional overrides that make
 * code read other than it is (CVE-2021-42574), zero-width characters, line and paragraph separators.
 */
const unprintable = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g;

/** Repository text as text only: nothing in it can steer a terminal or hide. Works on any piece of a longer text. */
export function toPlainText(text: string): string {
  return text.replace(unprintable, "");
}
