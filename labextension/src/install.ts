import { VERSION } from './generated';

/** The command that installs the same version of nbdeploy in the kernel's environment. */
export function installCommand(): string {
  return `%pip install nbdeploy==${VERSION}`;
}
