import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../shared/base.css';

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<StrictMode><h1>Calibration</h1></StrictMode>);
