/** Paths of the server's machine as paths in JupyterLab's file browser. */

/** A home directory that `~` may mean. */
const HOME = String.raw`(?:/root|/home/[^/]+|/Users/[^/]+|[A-Za-z]:/Users/[^/]+)`;

/**
 * An absolute path as one of JupyterLab; null: it is outside the folder that the server shows.
 * `root` is the page's `serverRoot`, in which the server writes `~` for its user's home.
 */
export function withinServer(path: string, root: string): string | null {
  const normalized = path.replaceAll('\\', '/');
  const folder = root.replaceAll('\\', '/').replace(/\/+$/, '');
  const pattern = folder.startsWith('~') ? HOME + escaped(folder.slice(1)) : escaped(folder);
  const found = new RegExp(`^${pattern}/(.+)$`).exec(normalized);
  return found?.[1] ?? null;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
