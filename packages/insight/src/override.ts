/**
 * Replaces a member of an object and returns a function that restores it. The member may be inherited, or a property of the object
 * itself (such as a method that a class defines as a field).
 */
export function override<T extends object, K extends keyof T>(target: T, name: K, value: T[K]): () => void {
  const previous = Object.getOwnPropertyDescriptor(target, name);
  target[name] = value;
  return () => {
    if (previous === undefined) delete (target as Partial<T>)[name];
    else Object.defineProperty(target, name, previous);
  };
}
