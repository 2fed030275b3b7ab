using System.Collections.Immutable;
using Provisioner.Backup.Age;
using Provisioner.Resources;

namespace Provisioner.Backup;

/// <summary>The configuration key <c>backup</c>: backups on a schedule. There are none until it says to whom they are encrypted.</summary>
public sealed record BackupOptions
{
    /// <summary>From one to the next.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Public keys of age; whoever has the secret key of one can restore.</summary>
    public ImmutableArray<string> Recipients { get; init; } = [];

    /// <summary>The file with the passphrase they are encrypted to instead; null for none.</summary>
    public string? PassphraseFile { get; init; }

    /// <summary>Where they are kept; null for <c>backups</c> in the data directory.</summary>
    public string? Directory { get; init; }

    /// <summary>So many are kept.</summary>
    public int Keep { get; init; } = 14;

    /// <summary>None is kept for longer, but for the newest.</summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(90);

    /// <summary>With the files of images.</summary>
    public bool Images { get; init; }

    /// <summary>A second place; null for none.</summary>
    public S3Options? S3 { get; init; }

    /// <summary>Whether they are made by themselves.</summary>
    public bool IsScheduled => PassphraseFile is not null || !Recipients.IsEmpty;

    /// <summary>Where they are kept, absolute.</summary>
    public string DirectoryIn(string dataDirectory) => Directory ?? Path.Combine(Path.GetFullPath(dataDirectory), "backups");
}

/// <summary>A bucket of Amazon S3, or of a server that speaks its protocol.</summary>
/// <param name="Bucket">Its name.</param>
/// <param name="Region">Where it is.</param>
public sealed record S3Options(string Bucket, string Region)
{
    /// <summary>What the objects' names begin with.</summary>
    public string Prefix { get; init; } = "provisioner/";

    public int Keep { get; init; } = 30;

    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(365);
}

/// <summary>The keys of the configuration's <c>backup</c>.</summary>
internal static class BackupFields
{
    public static Shape<BackupOptions> Backup { get; } = Declare();

    public static ScalarKind<string> Recipient => Values.OfText("a public key of age", "what 'age-keygen' prints as the public key, age1…", text => AgeRecipient.TryParse(text) is null ? "is not a public key of age" : null);

    private static ScalarKind<TimeSpan> Age => Values.Days(1, 3650);

    private static Shape<BackupOptions> Declare()
    {
        var path = Values.OfText("a path", "an absolute path such as /srv/backups", text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
        var shape = new Shape<BackupOptions>("backup", () => new BackupOptions());
        shape.Default("every", Values.DurationBetween(TimeSpan.FromMinutes(10), TimeSpan.FromDays(30), "a duration", "a duration such as 1d or 6h, from 10m to 30d"), o => o.Every, (o, v) => o with { Every = v }, "From one backup to the next.");
        shape.Optional("recipients", new ListKind<string>(Recipient), o => o.Recipients, (o, v) => o with { Recipients = v }, "Public keys of age that backups are encrypted to.");
        shape.Optional("passphraseFile", path, o => o.PassphraseFile, (o, v) => o with { PassphraseFile = v }, "The file with the passphrase that backups are encrypted to instead.");
        shape.Optional("directory", path, o => o.Directory, (o, v) => o with { Directory = v }, "Where they are kept; backups in the data directory unless said otherwise.");
        shape.Default("keep", Values.Integer(1, 10_000), o => o.Keep, (o, v) => o with { Keep = v }, "How many are kept.");
        shape.Default("keepFor", Age, o => o.KeepFor, (o, v) => o with { KeepFor = v }, "How long; the newest stays.");
        shape.Default("images", Values.Boolean, o => o.Images, (o, v) => o with { Images = v }, "With the files of images.");
        shape.Optional("s3", S3(), o => o.S3, (o, v) => o with { S3 = v }, "A bucket they are copied to.");
        shape.Check((options, report) =>
        {
            if (options.PassphraseFile is not null && !options.Recipients.IsEmpty)
                report("passphraseFile", "recipients are named, too, and age allows one of the two", options.PassphraseFile, "either recipients or passphraseFile");
            if (options.S3 is not null && !options.IsScheduled)
                report("s3", "nothing says what backups are encrypted to", options.S3.Bucket, "recipients or passphraseFile beside it");
        });
        return shape;
    }

    private static Shape<S3Options> S3()
    {
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        var bucket = Values.OfText("a bucket", "3 to 63 lower-case letters, digits, dots and dashes", text =>
            text.Length is >= 3 and <= 63 && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-') && char.IsAsciiLetterOrDigit(text[0]) && char.IsAsciiLetterOrDigit(text[^1]) ? null : "is not a bucket's name");
        var region = Values.OfText("a region of AWS", "a region such as eu-west-1", text => text.Length is >= 5 and <= 25 && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') ? null : "is not a region");
        var prefix = Values.OfText("a prefix", "letters, digits, dots, dashes and slashes such as site-1/", text =>
            text.Length <= 200 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/') && text[0] != '/' ? null : "is not a prefix of objects' names");
        var shape = new Shape<S3Options>("s3", () => new S3Options("", ""));
        shape.Required("bucket", bucket, o => o.Bucket, (o, v) => o with { Bucket = v }, "The bucket's name.");
        shape.Required("region", region, o => o.Region, (o, v) => o with { Region = v }, "Where it is.");
        shape.Default("prefix", prefix, o => o.Prefix, (o, v) => o with { Prefix = v }, "What the objects' names begin with.");
        shape.Default("keep", Values.Integer(1, 10_000), o => o.Keep, (o, v) => o with { Keep = v }, "How many are kept there.");
        shape.Default("keepFor", Age, o => o.KeepFor, (o, v) => o with { KeepFor = v }, "How long; the newest stays.");
        return shape;
    }
}
