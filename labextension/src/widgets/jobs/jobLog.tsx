import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Scrolled } from '../ui/scrolled';

/**
 * The output of the operation and its libraries; it follows the end until the reader scrolls up.
 */
export function JobLog({
  lines,
  trans
}: {
  lines: readonly string[];
  trans: TranslationBundle;
}): React.ReactElement | null {
  const box = React.useRef<HTMLDivElement>(null);
  const follows = React.useRef(true);
  React.useLayoutEffect(() => {
    if (box.current && follows.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  if (!lines.length) return null;
  return (
    <details
      className="nbdeploy-log"
      onToggle={() => {
        if (box.current) box.current.scrollTop = box.current.scrollHeight;
      }}
    >
      <summary>{trans._n('Log: %1 line', 'Log: %1 lines', lines.length)}</summary>
      <Scrolled
        ref={box}
        label={trans.__('Log')}
        onScroll={event => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          follows.current = scrollHeight - scrollTop - clientHeight < 4;
        }}
      >
        <pre>{lines.join('\n')}</pre>
      </Scrolled>
    </details>
  );
}
