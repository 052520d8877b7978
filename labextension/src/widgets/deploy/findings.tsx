import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Finding } from '../../generated';
import { advice, sentence } from '../ui/field';

export interface FindingsProps {
  findings: readonly Finding[];
  trans: TranslationBundle;
  /**
   * Scrolls to the cell with this execution count and selects it; undefined: its notebook is not
   * open.
   */
  openCell?: ((count: number) => void) | undefined;
  /** Waives a check, or no longer; undefined: nothing can be waived here. */
  waive?: ((check: string, passes: boolean) => void) | undefined;
  waived?: readonly string[];
  /** Accepts null in columns; undefined: nothing can be changed here. */
  accept?: ((columns: readonly string[]) => void) | undefined;
}

/** The findings of checks, each with the cell that it comes from. */
export function Findings({
  findings,
  trans,
  openCell,
  waive,
  waived = [],
  accept
}: FindingsProps): React.ReactElement {
  const words = {
    error: trans.__('error'),
    warning: trans.__('warning'),
    note: trans.__('note')
  };
  return (
    <ul className="nbdeploy-findings">
      {findings.map((finding, index) => (
        <li key={index} data-severity={finding.severity}>
          <div className="nbdeploy-finding-head">
            <strong>{finding.check}</strong>
            <span className="nbdeploy-severity">{words[finding.severity]}</span>
            {typeof finding.cell === 'number' ? (
              <CellLink count={finding.cell} open={openCell} trans={trans} />
            ) : null}
          </div>
          <p>
            {sentence(finding.message)} {finding.remedy ? advice(finding.remedy) : null}
          </p>
          {accept && finding.check === 'missing-values' && finding.columns.length > 0 ? (
            <button
              type="button"
              className="jp-Button jp-mod-styled"
              onClick={() => {
                accept(finding.columns);
              }}
            >
              {trans._n(
                'Accept null in this column',
                'Accept null in these %1 columns',
                finding.columns.length
              )}
            </button>
          ) : null}
          {waive && finding.severity !== 'note' ? (
            <label>
              <input
                type="checkbox"
                checked={waived.includes(finding.check)}
                onChange={event => {
                  waive(finding.check, event.target.checked);
                }}
              />
              {trans.__('Waive this check; the reason above is stored')}
            </label>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

/** `In [7]`, as a link if its notebook is open. */
export function CellLink({
  count,
  open,
  trans,
  skipped = false
}: {
  count: number;
  open: ((count: number) => void) | undefined;
  trans: TranslationBundle;
  /** Tab skips it: the choice that it belongs to is not selected. */
  skipped?: boolean;
}): React.ReactElement {
  const words = `In [${String(count)}]`;
  if (!open) return <span className="nbdeploy-cell">{words}</span>;
  return (
    <button
      type="button"
      className="nbdeploy-link nbdeploy-cell"
      title={trans.__('Show this cell')}
      tabIndex={skipped ? -1 : 0}
      onClick={() => {
        open(count);
      }}
    >
      {words}
    </button>
  );
}
