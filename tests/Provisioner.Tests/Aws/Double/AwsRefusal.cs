namespace Provisioner.AwsDoubles;

/// <summary>A refusal as AWS sends it.</summary>
internal sealed class AwsRefusal(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public string Code => code;

    public static AwsRefusal Denied(string message) => new(403, "AccessDeniedException", message);

    public static AwsRefusal Invalid(string message) => new(400, "ValidationException", message);

    public static AwsRefusal Missing(string message) => new(404, "ResourceNotFoundException", message);
}
