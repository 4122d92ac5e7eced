// The contract of ../README.md with java.net.http over JSSE.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {
    static String body(int number) {
        String stream = number % 2 == 0 ? "" : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
        return "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" + stream + "}";
    }

    static SSLContext trusting(Path authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (var in = Files.newInputStream(authority)) {
            store.setCertificateEntry("demo", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] arguments) throws Exception {
        var version = arguments.length > 0 ? HttpClient.Version.HTTP_1_1 : HttpClient.Version.HTTP_2;
        var context = trusting(Path.of(System.getenv("SSL_CERT_FILE")));
        var client = HttpClient.newBuilder().version(version).sslContext(context).build();
        System.out.println("ready");
        var input = new BufferedReader(new InputStreamReader(System.in));
        int calls = Integer.parseInt(input.readLine().trim());
        for (int number = 0; number < calls; number++) {
            var request = HttpRequest.newBuilder(URI.create("https://api.openai.com/v1/chat/completions"))
                .header("Authorization", "Bearer " + System.getenv("OPENAI_API_KEY"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body(number)))
                .build();
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) throw new IllegalStateException("status " + answer.statusCode());
        }
        System.out.println("done");
        input.readLine();
    }
}
