import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { FormDialog } from '../src/widgets/ui/formDialog';

/** The dialog's field, in the moment in which it is drawn. */
async function drawn(): Promise<HTMLInputElement> {
  return new Promise(resolve => {
    const observer = new MutationObserver(() => {
      const field = document.querySelector<HTMLInputElement>('.nbdeploy-body input');
      if (!field) return;
      observer.disconnect();
      resolve(field);
    });
    observer.observe(document.body, { childList: true, subtree: true });
  });
}

let dialog: FormDialog;

// jsdom has none; a browser calls it when it has nothing else to do.
beforeEach(() => {
  vi.stubGlobal('requestIdleCallback', (call: () => void) => setTimeout(call, 20));
});

afterEach(() => {
  dialog.dispose();
});

async function opened(): Promise<HTMLInputElement> {
  const field = drawn();
  dialog = new FormDialog('Publish', () => (
    <div className="nbdeploy-body" tabIndex={-1}>
      <input />
    </div>
  ));
  Widget.attach(dialog, document.body);
  return field;
}

it('has the focus as soon as it is drawn', async () => {
  await opened();
  expect(document.activeElement?.className).toBe('nbdeploy-body');
});

it('leaves the focus to a field that is typed in at once', async () => {
  const field = await opened();
  field.focus();
  await new Promise(resolve => setTimeout(resolve, 50));
  expect(document.activeElement).toBe(field);
});
