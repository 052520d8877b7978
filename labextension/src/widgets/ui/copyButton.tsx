import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { copyText } from '../../clipboard';
import { Icon } from './icon';

/** Copies a text to the clipboard, and announces it. */
export function CopyButton({
  text,
  label,
  trans
}: {
  text: string;
  label: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const [status, setStatus] = React.useState('');
  const copy = async (): Promise<void> => {
    const copied = await copyText(text);
    setStatus(
      copied
        ? trans.__('Copied')
        : trans.__('The browser denies access to the clipboard. Select the text instead.')
    );
  };
  return (
    <span className="nbdeploy-copy">
      <button
        type="button"
        className="nbdeploy-iconButton"
        aria-label={label}
        title={label}
        onClick={() => void copy()}
      >
        <Icon name={status ? 'check' : 'copy'} />
      </button>
      <span role="status" className="nbdeploy-announcement">
        {status}
      </span>
    </span>
  );
}
