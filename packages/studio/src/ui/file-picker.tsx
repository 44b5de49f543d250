/** A button that chooses files, with a text in the language of the page instead of the browser's. */

interface FilePickerProps {
  id: string;
  text: string;
  accept?: string;
  multiple?: boolean;
  folder?: boolean;
  onFiles(files: readonly File[]): void;
}

export function FilePicker({ id, text, accept, multiple = false, folder = false, onFiles }: FilePickerProps) {
  return (
    <label class="picker">
      {text}
      <input
        type="file"
        id={id}
        accept={accept}
        multiple={multiple}
        {...(folder && { webkitdirectory: true })}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // The same file can be chosen again, for example after it was repaired.
          event.currentTarget.value = '';
          onFiles(files);
        }}
      />
    </label>
  );
}
