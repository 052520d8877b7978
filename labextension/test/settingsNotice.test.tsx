import { nullTranslator } from '@jupyterlab/translation';
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it } from 'vitest';

import type { SettingsFile } from '../src/generated';
import { SettingsNotice } from '../src/widgets/ui/settingsNotice';

const trans = nullTranslator.load('nbdeploy');
const FILE: SettingsFile = {
  folder: '/work',
  path: '/work/nbdeploy.yaml',
  content: 'threads: 1\n',
  digest: '0'.repeat(64),
  agreed: false
};

describe('the notice of settings', () => {
  it('keeps the focus when the file is agreed to before its promise resolves', async () => {
    let resolve = (): void => undefined;
    const agree = async (): Promise<void> =>
      new Promise<void>(done => {
        resolve = done;
      });
    const { rerender } = render(<SettingsNotice file={FILE} agree={agree} trans={trans} />);
    await userEvent.click(screen.getByRole('button', { name: 'Use these settings' }));
    rerender(<SettingsNotice file={{ ...FILE, agreed: true }} agree={agree} trans={trans} />);
    const words = 'Jobs use the settings in /work/nbdeploy.yaml.';
    expect(screen.getByText(words)).toHaveFocus();
    await act(async () => {
      resolve();
      return Promise.resolve();
    });
    expect(screen.getByText(words)).toHaveFocus();
  });
});
