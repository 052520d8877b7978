/** The records in a file: CSV, Parquet, or a notebook that opens them. */
import * as React from 'react';

import type { Exported } from '../../generated';
import { size } from '../../words';
import { useServices } from '../ui/services';
import { WriteFile } from '../ui/writeFile';

/** `filters`: those of the list. */
export function ExportRecords(props: {
  name: string;
  filters: Readonly<Record<string, unknown>>;
}): React.JSX.Element {
  const { name, filters } = props;
  const { trans, call } = useServices();
  return (
    <WriteFile
      formats={{
        csv: trans.__('CSV'),
        parquet: trans.__('Parquet'),
        ipynb: trans.__('Notebook')
      }}
      first="csv"
      label={trans.__('Format of the export')}
      action={trans.__('Export')}
      working={trans.__('Exporting…')}
      title={trans.__(
        'The records of these filters, one row for each instance, in a new file of the folder'
      )}
      write={async (format, stamp) => {
        const file = `${name}-records-${stamp}.${format}`;
        const done = await call<Exported>('logs', { name, export: file, ...filters });
        const counts = [String(done.rows), size(Number(String(done.bytes))), done.file];
        const words = format === 'ipynb' ? done.file : trans.__('%1 rows, %2: %3', ...counts);
        return { file: done.file, words };
      }}
    />
  );
}
