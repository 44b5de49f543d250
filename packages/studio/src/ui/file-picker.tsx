/** A button that chooses files. Its text is in the language of the page, not of the browser. */

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
          // Without this, no event would follow if the same file is chosen again, for example after it was repaired.
          event.currentTarget.value = '';
          onFiles(files);
        }}
      />
    </label>
  );
}
