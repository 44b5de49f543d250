import { Waiting } from '../ui/panel.js';

export const StatesView = () => <Waiting />;
