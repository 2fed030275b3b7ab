namespace Provisioner.Protocols.AwsSigning;

/// <summary>What a signature is good for: one day, one region, one service.</summary>
/// <param name="Date">As in <c>20260101</c>.</param>
public readonly record struct CredentialScope(string Date, string Region, string Service)
{
    private const string End = "aws4_request";

    /// <summary>The scope of a signature made at that time.</summary>
    public static CredentialScope At(DateTimeOffset at, string region, string service) => new(AmzDate.Format(at)[..8], region, service);

    /// <summary>Never throws.</summary>
    public static bool TryParse(string text, out CredentialScope scope)
    {
        scope = default;
        if (text.Split('/') is not [var date, var region, var service, End] || date.Length != 8 || !date.All(char.IsAsciiDigit) || !IsWord(region) || !IsWord(service))
            return false;
        scope = new CredentialScope(date, region, service);
        return true;
    }

    /// <summary>As it is signed.</summary>
    public override string ToString() => $"{Date}/{Region}/{Service}/{End}";

    private static bool IsWord(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
