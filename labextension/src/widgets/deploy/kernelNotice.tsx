import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { KernelState } from '../../deploy/deployModel';
import { inForms } from '../../namedCommands';
import { type Problem } from '../../transport/problem';
import { LogIn } from '../jobs/logIn';

/** The dialog's actions for a kernel that does not answer. */
export interface KernelActions {
  restart: () => void;
  choose: () => void;
  /** Inserts a cell at the notebook's end, and scrolls to it. */
  insert: (source: string) => void;
  lookAgain: () => void;
}

export interface KernelNoticeProps {
  kernel: KernelState;
  problem: Problem | null;
  looked: boolean;
  actions: KernelActions;
  trans: TranslationBundle;
}

/** The reason why the kernel does not list its models or capture at once, and the remedy. */
export function KernelNotice(props: KernelNoticeProps): React.ReactElement | null {
  const { kernel, problem, looked, actions, trans } = props;
  const notice = (words: string, ...children: React.ReactNode[]): React.ReactElement => (
    <div className="nbdeploy-notice" role="status">
      <p>{words}</p>
      {children}
    </div>
  );
  switch (kernel.kind) {
    case 'none':
      return notice(
        trans.__('This notebook has no kernel. Choose one and run the cells that make your model.'),
        <Button key="choose" words={trans.__('Choose a kernel…')} act={actions.choose} />
      );
    case 'starting':
      return notice(trans.__('The kernel is starting…'));
    case 'dead':
      return notice(
        trans.__(
          'The kernel has died, and its variables are lost. Restart it and run the cells that make your model.'
        ),
        <Button key="restart" words={trans.__('Restart the kernel')} act={actions.restart} />
      );
    case 'other':
      return notice(
        trans.__(
          'This notebook is in %1. Only models in Python and R can be deployed; validation notebooks may be in any language.',
          kernel.language
        ),
        <Button key="choose" words={trans.__('Choose another kernel…')} act={actions.choose} />
      );
    case 'idle':
    case 'busy':
  }
  if (problem) {
    const { cell } = problem;
    return (
      <div className="nbdeploy-notice" role="alert">
        <p>{problem.message}</p>
        {problem.remedy ? <p>{inForms(problem.remedy)}</p> : null}
        {cell ? <pre>{cell}</pre> : null}
        <div className="nbdeploy-buttons">
          {problem.logIn ? <LogIn url={PageConfig.getBaseUrl()} trans={trans} /> : null}
          {cell ? (
            <Button
              words={trans.__('Insert cell')}
              act={() => {
                actions.insert(cell);
              }}
            />
          ) : null}
          <Button words={trans.__('Refresh')} act={actions.lookAgain} />
        </div>
      </div>
    );
  }
  if (kernel.kind === 'busy') return notice(kernel.words);
  return looked ? null : notice(trans.__('Looking for models in the kernel…'));
}

function Button({ words, act }: { words: string; act: () => void }): React.ReactElement {
  return (
    <button type="button" className="jp-Button jp-mod-styled" onClick={act}>
      {words}
    </button>
  );
}
