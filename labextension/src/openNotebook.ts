import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';

import { withinServer } from './paths';

/** Opens a notebook that the server can reach; false: it is elsewhere, or gone. */
export async function openNotebook(app: JupyterFrontEnd, path: string): Promise<boolean> {
  const within = withinServer(path, PageConfig.getOption('serverRoot'));
  if (within === null) return false;
  try {
    await app.serviceManager.contents.get(within, { content: false });
  } catch {
    return false;
  }
  await app.commands.execute('docmanager:open', { path: within });
  return true;
}
