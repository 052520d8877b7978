import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/**
 * Leads to the log-in, wherever that is, in another tab: of what stands in this one nothing is
 * lost.
 */
export function LogIn({ trans }: { trans: TranslationBundle }): React.JSX.Element {
  return (
    <a
      className="jp-Button jp-mod-styled nbdeploy-LogIn"
      href={PageConfig.getBaseUrl()}
      target="_blank"
      rel="noreferrer"
    >
      {trans.__('Log in…')}
    </a>
  );
}
