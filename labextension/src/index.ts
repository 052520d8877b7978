import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { candidates } from './plugins/candidates';
import { commands } from './plugins/commands';
import { connection } from './plugins/connection';
import { dialog } from './plugins/dialog';
import { sidebar } from './plugins/sidebar';

export { INbdeploy } from './transport/tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  connection,
  commands,
  dialog,
  sidebar,
  candidates
];
export default plugins;
