import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

/** Puts a text on the clipboard, and says so. */
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
    try {
      await navigator.clipboard.writeText(text);
      setStatus(trans.__('Copied'));
    } catch {
      setStatus(trans.__('This browser does not let it be copied: select the text instead'));
    }
  };
  const Icon = status ? checkIcon : copyIcon;
  return (
    <span className="nbdeploy-copy">
      <button
        type="button"
        className="nbdeploy-iconButton"
        aria-label={label}
        title={label}
        onClick={() => void copy()}
      >
        <Icon.react tag="span" elementSize="normal" />
      </button>
      <span role="status" className="nbdeploy-announcement">
        {status}
      </span>
    </span>
  );
}
