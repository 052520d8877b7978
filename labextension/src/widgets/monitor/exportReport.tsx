/** The Monitor's range in a file: a page for people without JupyterLab, or a notebook. */
import * as React from 'react';

import type { MonitorReport } from '../../generated';
import { problemOfJob } from '../../transport/problem';
import { useServices } from '../ui/services';
import { WriteFile } from '../ui/writeFile';

/** `request`: of the Monitor. */
export function ExportReport(props: {
  name: string;
  request: Readonly<Record<string, unknown>>;
}): React.JSX.Element {
  const { name, request } = props;
  const { trans, job } = useServices();
  return (
    <WriteFile
      formats={{ html: trans.__('HTML page'), ipynb: trans.__('Page and notebook') }}
      first="html"
      label={trans.__('Format of the report')}
      action={trans.__('Write a report')}
      working={trans.__('Writing…')}
      title={trans.__('What is shown here, in a new file of the folder, for others to read')}
      write={async (format, stamp) => {
        const file = `${name}-report-${stamp}.html`;
        const notebook = format === 'ipynb';
        const ended = await job('report', { since: null, ...request, file, notebook });
        if (ended.state !== 'done') {
          const { message, remedy } = problemOfJob(ended);
          throw new Error([message, remedy].filter(Boolean).join('; '));
        }
        const written = ended.result as MonitorReport;
        return {
          file: notebook ? written.notebook : written.file,
          words: [written.file, written.notebook].filter(Boolean).join(', ')
        };
      }}
    />
  );
}
