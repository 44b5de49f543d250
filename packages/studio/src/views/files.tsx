import { Waiting } from '../ui/panel.js';

export const FilesView = () => <Waiting />;
