import { Waiting } from '../ui/panel.js';

export const NetworkView = () => <Waiting />;
