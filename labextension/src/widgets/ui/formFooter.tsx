import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { inForms } from '../../namedCommands';

interface FormFooterProps {
  /** What a click does, and what the form leaves out. */
  notes: readonly string[];
  refusal: { message: string; remedy: string } | null;
  /** A way to mend the refusal, after its text. */
  mend?: React.ReactNode;
  /** Why the form cannot be sent, or what happens now; announced when it changes. */
  status: string;
  close: () => void;
  trans: TranslationBundle;
  /** The buttons that send the form; the status describes them: `aria-describedby={STATUS_ID}`. */
  children: React.ReactNode;
}

export const STATUS_ID = 'nbdeploy-why';

/** The end of a dialog's form: notes, the refusal, the status, and the buttons. */
export function FormFooter(props: FormFooterProps): React.ReactElement {
  const { notes, refusal, mend, status, close, trans, children } = props;
  return (
    <footer>
      <div className="nbdeploy-why">
        {notes.map(note => (
          <p key={note} className="nbdeploy-help">
            {note}
          </p>
        ))}
        {refusal ? (
          <p role="alert" className="nbdeploy-wrong">
            {inForms(refusal.message)} {inForms(refusal.remedy)} {mend}
          </p>
        ) : null}
        <p id={STATUS_ID} role="status">
          {status}
        </p>
      </div>
      <button type="button" className="jp-Button jp-mod-styled jp-mod-reject" onClick={close}>
        {trans.__('Cancel')}
      </button>
      {children}
    </footer>
  );
}
