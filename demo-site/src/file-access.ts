/** The part of the package that reads and writes model files, which a build may lack. */
interface FileAccess {
  io?: { browserFiles?: (files: File[]) => unknown };
}

/** The function that makes a model source of files, where the package has one. */
export function fileReader(tf: object): ((files: File[]) => unknown) | undefined {
  return (tf as FileAccess).io?.browserFiles;
}
