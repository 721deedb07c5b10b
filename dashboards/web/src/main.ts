/** Starts the application: styles, preferences (theme before the first paint), the shell. */
import { mount } from 'svelte';

import './fonts.css';
import './tokens.css';
import './app.css';
import '$/lib/prefs.svelte';
import App from './App.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target });
