import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** Opens the log-in page in another tab; nothing in this tab is lost. */
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
