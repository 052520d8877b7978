import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Run } from '../../progress';
import { share } from '../../progress';

/** Validation notebooks while they run and afterwards, one row each. */
export function JobRuns({
  runs,
  trans
}: {
  runs: readonly Run[];
  trans: TranslationBundle;
}): React.ReactElement | null {
  if (!runs.length) return null;
  return (
    <table className="nbdeploy-runs">
      <caption>{trans.__('Validation')}</caption>
      <tbody>
        {runs.map(run => (
          <tr key={run.latest.run} data-state={run.latest.state}>
            <th scope="row" title={run.latest.title}>
              {run.latest.title}
            </th>
            <td>
              <progress max={1} value={share(run)} aria-label={run.latest.title} />
            </td>
            <td className="nbdeploy-number">
              {run.latest.seconds ? `${run.latest.seconds.toFixed(1)} s` : ''}
            </td>
            <td title={wordsOf(run, trans)}>{wordsOf(run, trans)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The cell that runs, or the outcome. */
function wordsOf(run: Run, trans: TranslationBundle): string {
  const { latest, stable } = run;
  switch (latest.state) {
    case 'pass':
      return trans.__('✓ pass');
    case 'fail':
      return trans.__('✗ fail');
    case 'inconclusive':
      return trans.__('? undecided');
    case 'not run':
      return trans.__('– not run');
    case 'waiting':
      return trans.__('waiting');
    case 'running': {
      const asked = stable ?? latest;
      const whom = stable ? `${trans.__('stable')}: ` : '';
      if (!asked.cell) return whom + trans.__('starting the kernel');
      const [cell, cells] = [Math.min(asked.cell, asked.cells), asked.cells];
      return `${whom}${trans.__('cell %1 of %2', cell, cells)}  ${asked.words}`;
    }
  }
}
