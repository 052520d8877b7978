import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { KernelState } from './deploy/deployModel';

const STARTING = ['unknown', 'starting', 'restarting', 'autorestarting'];

/**
 * The state of a notebook's kernel. It is busy while cells run. Its own status covers all messages,
 * and is idle after an answer of a subshell.
 */
export function kernelState(panel: NotebookPanel, trans: TranslationBundle): KernelState {
  const { sessionContext } = panel;
  const kernel = sessionContext.session?.kernel;
  if (!kernel) {
    return { kind: sessionContext.isReady || sessionContext.hasNoKernel ? 'none' : 'starting' };
  }
  if (kernel.status === 'dead' || kernel.status === 'terminating') return { kind: 'dead' };
  if (STARTING.includes(kernel.status)) return { kind: 'starting' };
  const language = sessionContext.specsManager.specs?.kernelspecs[kernel.name]?.language;
  if (language && !['python', 'r'].includes(language.toLowerCase())) {
    return { kind: 'other', language };
  }
  const running = runningCells(panel);
  if (!running) return { kind: 'idle' };
  return {
    kind: 'busy',
    words: trans._n(
      'The kernel is busy: a cell runs. You can deploy now; the capture waits until the cell has ended.',
      'The kernel is busy: %1 cells run or wait. You can deploy now; the capture waits until the cells have ended.',
      running
    )
  };
}

/** The language of a notebook's kernel, in lower case; empty: unknown. */
export function languageOf({ sessionContext }: NotebookPanel): string {
  const kernel = sessionContext.session?.kernel;
  const specs = sessionContext.specsManager.specs?.kernelspecs;
  return (kernel ? (specs?.[kernel.name]?.language ?? '') : '').toLowerCase();
}

/** The number of cells that run or wait. */
export function runningCells(panel: NotebookPanel): number {
  return panel.content.widgets.filter(
    ({ model }) =>
      model.type === 'code' &&
      (model as unknown as { executionState?: string }).executionState === 'running'
  ).length;
}
