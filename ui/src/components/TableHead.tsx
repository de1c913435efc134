/** The headings of a table of rows; an empty one is that of the actions. */
interface Props {
  headings: readonly string[];
  /** Those over numbers. */
  figures?: readonly string[];
}

export function TableHead({ headings, figures = [] }: Props) {
  return (
    <thead>
      <tr>
        {headings.map((heading) => (
          <th key={heading} scope="col" className={figures.includes(heading) ? "figure" : undefined}>
            {heading || <span className="visually-hidden">Actions</span>}
          </th>
        ))}
      </tr>
    </thead>
  );
}
