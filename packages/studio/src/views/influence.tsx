import { Waiting } from '../ui/panel.js';

export const InfluenceView = () => <Waiting />;
