/** The table of candidates: rows that meet the constraints first, the others dimmed with the reason. */
import * as React from 'react';

import type { CandidateRow, CandidatesView } from '../../generated';
import { Button } from '../ui/parts';
import { Scrolled } from '../ui/scrolled';
import { useServices } from '../ui/services';

export function CandidateTable(props: {
  view: CandidatesView;
  onDeploy: (row: CandidateRow) => void;
}): React.JSX.Element {
  const { view, onDeploy } = props;
  const { trans } = useServices();
  return (
    <Scrolled className="nbd-CandidateTable" label={trans.__('Table of candidates')}>
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('model')}</th>
            {view.columns.map(column => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {view.rows.map(row => (
            <tr key={row.label} data-violates={row.reasons.length > 0}>
              <th scope="row">
                <Model row={row} onDeploy={onDeploy} />
              </th>
              {row.cells.map((cell, place) => (
                <td key={place} data-label={view.columns[place]}>
                  {cell.value} {cell.range && <span className="nbd-faint">{cell.range}</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

/** The name of a row with its state and its button. */
function Model(props: {
  row: CandidateRow;
  onDeploy: (row: CandidateRow) => void;
}): React.JSX.Element {
  const { row, onDeploy } = props;
  const { trans } = useServices();
  return (
    <div className="nbd-CandidateModel">
      <span title={row.tag}>{row.label}</span>
      {row.stable ? (
        <span className="nbd-faint">{trans.__('deployed')}</span>
      ) : (
        <Button
          look="quiet"
          aria-label={trans.__('Deploy %1…', row.label)}
          onClick={() => {
            onDeploy(row);
          }}
        >
          {trans.__('Deploy…')}
        </Button>
      )}
      {row.on_front && <span className="nbd-CandidateFront">◆ {trans.__('Pareto front')}</span>}
      {row.reasons.map(reason => (
        <span key={reason} className="nbd-CandidateReason">
          ▲ {trans.__('violates %1', reason)}
        </span>
      ))}
    </div>
  );
}
