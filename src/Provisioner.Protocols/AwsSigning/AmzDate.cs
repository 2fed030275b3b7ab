using System.Globalization;

namespace Provisioner.Protocols.AwsSigning;

/// <summary>The time of a signature as AWS writes it, <c>20260101T000000Z</c>.</summary>
public static class AmzDate
{
    private const string Pattern = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>In whole seconds.</summary>
    public static string Format(DateTimeOffset at) => at.ToUniversalTime().ToString(Pattern, CultureInfo.InvariantCulture);

    /// <summary>Never throws.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out DateTimeOffset at) =>
        DateTimeOffset.TryParseExact(text, Pattern, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out at);
}
