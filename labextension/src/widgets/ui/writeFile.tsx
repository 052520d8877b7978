/** A form that writes a file on the server in one of several formats, and downloads or opens it. */
import * as React from 'react';

import { problemOf } from '../../transport/problem';
import { Button } from './parts';
import { useServices } from './services';

export interface Written {
  /** The path of the file. */
  readonly file: string;
  readonly words: string;
}

export function WriteFile<Format extends string>(props: {
  /** The formats by name, with their labels. */
  formats: Readonly<Record<Format, string>>;
  first: NoInfer<Format>;
  /** The name of the formats' control. */
  label: string;
  /** The buttons' text, also while it writes. */
  action: string;
  working: string;
  title: string;
  /** `stamp`: part of a name that no earlier file has. */
  write: (format: Format, stamp: string) => Promise<Written>;
}): React.JSX.Element {
  const { formats, first, label, action, working, title, write } = props;
  const { fetchFile } = useServices();
  const [format, setFormat] = React.useState<Format>(first);
  const [words, setWords] = React.useState('');
  const [writing, setWriting] = React.useState(false);
  const begin = async (): Promise<void> => {
    setWriting(true);
    setWords('');
    try {
      const done = await write(format, stamp(new Date()));
      setWords(done.words);
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
        if (!writing) void begin();
      }}
    >
      <select
        value={format}
        aria-label={label}
        onChange={event => {
          setFormat(event.target.value as Format);
        }}
      >
        {(Object.keys(formats) as Format[]).map(one => (
          <option key={one} value={one}>
            {formats[one]}
          </option>
        ))}
      </select>
      <Button type="submit" aria-disabled={writing} title={title}>
        {writing ? working : action}
      </Button>
      <span role="status" className="nbd-faint nbd-breaks">
        {words}
      </span>
    </form>
  );
}

/** `20261201-103005`, in the time of the browser. */
function stamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(now.getFullYear())}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
