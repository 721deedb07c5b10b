/** uPlot with its stylesheet, in one chunk that loads with the first chart. */
import 'uplot/dist/uPlot.min.css';

export { default } from 'uplot';
