/** Code that calls the endpoint, one tab per language; it works when pasted. */
import * as React from 'react';

import type { Snippet } from '../../generated';
import { Copy } from '../ui/parts';
import { useServices } from '../ui/services';
import { Tabs } from '../ui/tabs';

export function Snippets(props: { snippets: readonly Snippet[] }): React.JSX.Element | null {
  const { snippets } = props;
  const { trans } = useServices();
  const [language, setLanguage] = React.useState(snippets[0]?.language ?? 'curl');
  const shown = snippets.find(one => one.language === language);
  if (!shown) return null;
  return (
    <section className="nbd-Snippets">
      <h3>{trans.__('Call it from a program')}</h3>
      <Tabs
        tabs={snippets.map(one => ({ name: one.language, title: one.title }))}
        shown={language}
        label={trans.__('Languages')}
        onShow={setLanguage}
        end={<Copy text={shown.text} label={trans.__('Copy the %1 snippet', shown.title)} />}
      >
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long line scrolls */}
        <pre className="nbd-Data" tabIndex={0} aria-label={shown.title}>
          {shown.text}
        </pre>
      </Tabs>
    </section>
  );
}
