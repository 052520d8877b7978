import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import type { JobsModel } from '../jobs';
import type { DeploymentsModel } from '../model';
import type { RestTransport } from './restTransport';
import type { EventStream } from './stream';

/**
 * The parts that the plugins share; one per tab. The first request to the server waits until it is
 * needed.
 */
export interface INbdeploy {
  readonly deployments: DeploymentsModel;
  readonly jobs: JobsModel;
  readonly stream: EventStream;
  readonly transport: RestTransport;
  readonly trans: TranslationBundle;
}

export const INbdeploy = new Token<INbdeploy>(
  'nbdeploy:INbdeploy',
  'The endpoints, jobs and events of nbdeploy.'
);

/** The id of the sidebar in the shell. */
export const SIDEBAR_ID = 'nbdeploy-deployments';

/** The translations' domain. */
export const DOMAIN = 'nbdeploy';
