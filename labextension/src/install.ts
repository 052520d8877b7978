import { VERSION } from './generated';

/** The command that installs the same version of nbdeploy in the kernel's environment. */
export function installCommand(): string {
  return `%pip install nbdeploy==${VERSION}`;
}

/** The source of a cell that installs what a remedy names by `pip install …`; null: it names nothing. */
export function installCell(remedy: string): string | null {
  const named = /\bpip install ('[^']+'|[\w.[\]-]+)/.exec(remedy)?.[1];
  return named === undefined ? null : `%pip install ${named.replaceAll("'", '"')}`;
}
