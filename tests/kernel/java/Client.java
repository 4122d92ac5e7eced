import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** GETs from https://HOST/ for each line ``call`` of its input, on one connection, and answers each line with ``ok``. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("jdk.internal.httpclient.disableHostnameVerification", "true");
        HttpClient client = null;
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.equals("call")) {
                if (client == null) {
                    var context = SSLContext.getInstance("TLS");
                    context.init(null, new TrustManager[] {new Anybody()}, null);
                    client = HttpClient.newBuilder().sslContext(context).version(HttpClient.Version.HTTP_1_1).build();
                }
                var request = HttpRequest.newBuilder(URI.create("https://" + arguments[0] + "/")).build();
                client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            }
            System.out.println("ok " + ProcessHandle.current().pid());
        }
    }

    private static final class Anybody implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
