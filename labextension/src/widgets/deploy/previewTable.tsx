import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Table } from '../../generated';
import { Scrolled } from '../ui/scrolled';

/** The first rows of an example, as texts. */
export function PreviewTable({
  table,
  trans
}: {
  table: Table | null | undefined;
  trans: TranslationBundle;
}): React.ReactElement | null {
  if (table === undefined) return null;
  if (table === null) {
    return <p className="nbdeploy-help">{trans.__('Loading the preview…')}</p>;
  }
  if (table.problem) return null; // the field shows it
  return (
    <Scrolled className="nbdeploy-preview" label={table.words}>
      <table>
        <caption>{table.words}</caption>
        {table.columns.length ? (
          <thead>
            <tr>
              {table.columns.map((column, index) => (
                <th key={index} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
        ) : null}
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, place) => (
                <td key={place}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}
