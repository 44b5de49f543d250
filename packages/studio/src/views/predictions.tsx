import { Waiting } from '../ui/panel.js';

export const PredictionsView = () => <Waiting />;
