import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** Opens the log-in page in another tab; nothing in this tab is lost. */
export function LogIn(props: { url: string; trans: TranslationBundle }): React.JSX.Element {
  return (
    <a
      className="jp-Button jp-mod-styled nbdeploy-LogIn"
      href={props.url}
      target="_blank"
      rel="noreferrer"
    >
      {props.trans.__('Log in…')}
    </a>
  );
}
