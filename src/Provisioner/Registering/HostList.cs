using System.Globalization;
using CsvHelper;
using CsvHelper.Configuration;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Registering;

/// <summary>A list of servers out of a file or a spreadsheet: its columns, and what each row would be.</summary>
internal sealed class HostList
{
    /// <summary>More is a matter for <c>provisioner apply</c>.</summary>
    public const int MaximumRows = 10_000;

    private HostList(IReadOnlyList<string> header, IReadOnlyList<string[]> rows) => (Header, Rows) = (header, rows);

    public IReadOnlyList<string> Header { get; }

    public IReadOnlyList<string[]> Rows { get; }

    /// <summary>One row as it would be registered.</summary>
    /// <param name="Number">Counted from 1, without the header.</param>
    internal sealed record Row(int Number, HostForm Form, IReadOnlyList<ResourceDocument> Documents, IReadOnlyList<Mistake> Mistakes);

    /// <summary>Reads it; commas, semicolons or tabs, as it comes.</summary>
    /// <exception cref="FormatException">It is no such list; says why.</exception>
    public static HostList Parse(string text)
    {
        var configuration = new CsvConfiguration(CultureInfo.InvariantCulture) { DetectDelimiter = true, DetectDelimiterValues = ["\t", ";", ","], BadDataFound = null, MissingFieldFound = null, TrimOptions = TrimOptions.Trim };
        using var reader = new CsvReader(new StringReader(text.Trim('\uFEFF', '\n', '\r')), configuration);
        if (!reader.Read() || !reader.ReadHeader() || reader.HeaderRecord is not { Length: > 0 } header)
            throw new FormatException("There is nothing in it. The first line names the columns, each other line is a server.");
        var rows = new List<string[]>();
        while (reader.Read())
        {
            if (rows.Count == MaximumRows)
                throw new FormatException($"There are more than {MaximumRows} rows. provisioner apply takes as many as there are.");
            if (reader.Parser.Record is { } record && record.Any(f => f.Length > 0))
                rows.Add(record);
        }
        return rows.Count > 0 ? new(header, rows) : throw new FormatException("There is one line in it. The first names the columns, each other line is a server.");
    }

    /// <summary>A list that came as one.</summary>
    public static HostList Of(IReadOnlyList<string> header, IReadOnlyList<string[]> rows) => new(header, rows);

    /// <summary>Which column is which, by their names: the key of <see cref="HostForm.Columns"/> for each, or nothing.</summary>
    public string[] Guess() => [.. Header.Select(title => HostForm.Columns.FirstOrDefault(c =>
        title.Equals(c.Key, StringComparison.OrdinalIgnoreCase) || title.Equals(c.Title, StringComparison.OrdinalIgnoreCase) || c.AlsoCalled.Contains(title, StringComparer.OrdinalIgnoreCase)).Key ?? "")];

    /// <summary>Every row with what is wrong in it, by itself, beside the others, and beside what there is. Nothing is changed.</summary>
    /// <param name="given">What no column says, such as a profile for all.</param>
    public IReadOnlyList<Row> Check(string[] columns, IReadOnlyDictionary<string, string> given, Snapshot snapshot, DateTimeOffset now)
    {
        var editor = new StateEditor(snapshot, now);
        var rows = new List<Row>();
        foreach (var record in Rows)
        {
            var form = new HostForm();
            foreach (var (key, value) in given)
                form[key] = value;
            for (var i = 0; i < Math.Min(columns.Length, record.Length); i++)
            {
                if (columns[i].Length > 0 && record[i].Length > 0)
                    form[columns[i]] = record[i];
            }
            var (documents, mistakes) = form.Read();
            if (mistakes.Count == 0)
                mistakes = WhyNot(editor, form.Name, documents);
            rows.Add(new(rows.Count + 1, form, documents, mistakes));
        }
        return rows;
    }

    // On an editor that is thrown away, with the rows before it: two rows with one address are found.
    private static IReadOnlyList<Mistake> WhyNot(StateEditor editor, string name, IReadOnlyList<ResourceDocument> documents)
    {
        if (editor.Snapshot.Hosts.ContainsKey(name))
            return [new Mistake($"there is a Host {name} already") { Path = "name" }];
        try
        {
            ResourceChanges.Apply(editor, documents, null);
            return [];
        }
        catch (ChangeRefusedException refused)
        {
            return [.. refused.Mistakes.Select(m => m.WithoutPlace())];
        }
    }
}
