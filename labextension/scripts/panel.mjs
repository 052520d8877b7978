// Builds the panel of notebooks: an ES module for anywidget, without anything from another host, and its styles.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { rspack } from '@rspack/core';

const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const compiler = rspack({
  mode: 'production',
  target: ['web', 'es2022'],
  devtool: false,
  context: here,
  entry: { panel: ['./style/panel.css', './lib/panel/index.js'] },
  output: {
    path: path.join(here, '..', 'jupyter_deploy', 'faces', 'panel', 'static'),
    filename: '[name].js',
    cssFilename: '[name].css',
    module: true,
    library: { type: 'module' },
    clean: true
  },
  module: { rules: [{ test: /\.css$/, type: 'css/global' }] },
  optimization: { splitChunks: false, runtimeChunk: false },
  performance: { hints: false }
});

compiler.run((error, stats) => {
  if (error) throw error;
  if (stats.hasErrors()) {
    console.error(stats.toString({ all: false, errors: true }));
    process.exitCode = 1;
    return;
  }
  console.log(stats.toString({ all: false, assets: true }));
});
