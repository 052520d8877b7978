/** The scores in subgroups, the models that were not measured, and how the others were. */
import * as React from 'react';

import type { CandidatesView } from '../../generated';
import { useServices } from '../ui/services';

export function MoreOfCandidates(props: { view: CandidatesView }): React.JSX.Element {
  const { view } = props;
  const { trans } = useServices();
  const { groups, table, facts } = view;
  return (
    <>
      {groups.length > 0 && (
        <details>
          <summary>{trans.__('%1 in subgroups', table.metric)}</summary>
          <table className="nbd-Table nbd-mod-numbers nbd-Figured">
            <thead>
              <tr>
                <th scope="col">{trans.__('model')}</th>
                <th scope="col">{trans.__('subgroup')}</th>
                <th scope="col">{trans.__('rows')}</th>
                <th scope="col">{trans.__('%1, with its own 95 % interval', table.metric)}</th>
              </tr>
            </thead>
            <tbody>
              {groups.map(one => (
                <tr key={`${one.label} ${one.group}`}>
                  <th scope="row">{one.label}</th>
                  <td data-label={trans.__('subgroup')}>{one.group}</td>
                  <td data-label={trans.__('rows')}>{one.rows.toLocaleString()}</td>
                  <td data-label={table.metric}>
                    {one.score} <span className="nbd-faint">{one.interval}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
      {table.left_out.length > 0 && (
        <details>
          <summary>
            {trans._n(
              '%1 row was not measured',
              '%1 rows were not measured',
              table.left_out.length
            )}
          </summary>
          <ul>
            {table.left_out.map(one => (
              <li key={`${one.name} ${one.engine}`}>
                {one.name} ({one.engine}): {one.why}
              </li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{trans.__('How it was measured')}</summary>
        <ul>
          {Object.entries(facts).map(([name, value]) => (
            <li key={name}>
              {name}: {value}
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}
