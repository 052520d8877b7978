/** The records in a file: CSV, Parquet, or a notebook that opens them. */
import * as React from 'react';

import type { Exported } from '../../generated';
import { problemOf } from '../../transport/problem';
import { size } from '../../words';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

const FORMATS = ['csv', 'parquet', 'ipynb'] as const;

/** `filters`: those of the list. */
export function ExportRecords(props: {
  name: string;
  filters: Readonly<Record<string, unknown>>;
}): React.JSX.Element {
  const { name, filters } = props;
  const { trans, call, fetchFile } = useServices();
  const [format, setFormat] = React.useState<(typeof FORMATS)[number]>('csv');
  const [words, setWords] = React.useState('');
  const [writing, setWriting] = React.useState(false);
  const names = {
    csv: trans.__('CSV'),
    parquet: trans.__('Parquet'),
    ipynb: trans.__('Notebook')
  };
  const write = async (): Promise<void> => {
    setWriting(true);
    setWords('');
    try {
      const file = `${name}-records-${stamp(new Date())}.${format}`;
      const done = await call<Exported>('logs', { name, export: file, ...filters });
      setWords(
        format === 'ipynb'
          ? done.file
          : trans.__(
              '%1 rows, %2: %3',
              String(done.rows),
              size(Number(String(done.bytes))),
              done.file
            )
      );
      await fetchFile?.(done.file);
    } catch (error) {
      const { message, remedy } = problemOf(error);
      setWords([message, remedy].filter(Boolean).join('; '));
    } finally {
      setWriting(false);
    }
  };
  return (
    <form
      className="nbd-row nbd-mod-wrap nbd-Export"
      onSubmit={event => {
        event.preventDefault();
        if (!writing) void write();
      }}
    >
      <select
        value={format}
        aria-label={trans.__('Format of the export')}
        onChange={event => {
          setFormat(event.target.value as typeof format);
        }}
      >
        {FORMATS.map(one => (
          <option key={one} value={one}>
            {names[one]}
          </option>
        ))}
      </select>
      <Button
        type="submit"
        aria-disabled={writing}
        title={trans.__(
          'The records of these filters, one row for each instance, in a new file of the folder'
        )}
      >
        {writing ? trans.__('Exporting…') : trans.__('Export')}
      </Button>
      <span role="status" className="nbd-faint nbd-breaks">
        {words}
      </span>
    </form>
  );
}

/** `20261201-103005`, in the time of the browser: a name that no earlier export has. */
function stamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(now.getFullYear())}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
