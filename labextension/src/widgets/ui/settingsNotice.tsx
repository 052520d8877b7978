import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { SettingsFile } from '../../generated';
import { problemOf } from '../../transport/problem';

export interface SettingsNoticeProps {
  /** Null: the folder has no settings that need an agreement. */
  file: SettingsFile | null;
  /** Stores the user's agreement to the content that is shown. */
  agree: (file: SettingsFile) => Promise<void>;
  trans: TranslationBundle;
}

/**
 * The settings of a folder that jobs do not read yet. The file may have come with a notebook from
 * anywhere: the user sees its content and agrees once, and again if it has changed.
 */
export function SettingsNotice(props: SettingsNoticeProps): React.ReactElement | null {
  const { file, agree, trans } = props;
  const [agreedTo, setAgreedTo] = React.useState('');
  const [error, setError] = React.useState('');
  const said = React.useRef<HTMLParagraphElement>(null);
  const isAgreed = file?.agreed === true && agreedTo === file.path;
  // The button, which had the focus, is gone. In the same step, for no key may go elsewhere meanwhile.
  React.useLayoutEffect(() => {
    if (isAgreed) said.current?.focus();
  }, [isAgreed]);
  if (file === null) return null;
  if (file.agreed) {
    // It is said to the user who has just agreed, and needs no words the next time.
    return isAgreed ? (
      <p ref={said} className="nbdeploy-help" role="status" tabIndex={-1}>
        {trans.__('Jobs use the settings in %1.', file.path)}
      </p>
    ) : null;
  }
  return (
    <section className="nbdeploy-notice" aria-label={trans.__('Settings of this folder')}>
      <p>
        {trans.__(
          'Jobs do not use these settings in %1 yet. Agree only if you trust the folder: they can name hosts and programs. You are asked again if the file changes.',
          file.path
        )}
      </p>
      <pre>{file.content.trimEnd()}</pre>
      <button
        type="button"
        className="jp-Button jp-mod-styled"
        onClick={() => {
          setError('');
          setAgreedTo(file.path); // before the file is shown as agreed to, which happens first
          agree(file).catch((reason: unknown) => {
            const { message, remedy } = problemOf(reason);
            setAgreedTo('');
            setError([message, remedy].filter(Boolean).join('; '));
          });
        }}
      >
        {trans.__('Use these settings')}
      </button>
      <p role="status" className="nbdeploy-problems">
        {error}
      </p>
    </section>
  );
}
