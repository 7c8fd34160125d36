package Scim::Gate;

# What the tests of the access gate share: people, and applications behind nginx.
#
#     my $app = Scim::Gate::application('http');              # before Scim->new; its port is in the configuration
#     my $t = Scim->new(server => "proxy_pass http://127.0.0.1:$app->{port};" ...);
#     my $gate = Scim::Gate->new($t);                          # seeds tenant acme, starts nginx, creates the people
#     is $gate->ask('/path', 'ada', 'X-Other' => 1)->{status}, 200, '…';
#
# People: ada (in group Admins), bob, and eve, who is not active. The subject is the header X-Remote-User.

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Scim;
use Test::More ();

sub new {
    my ($class, $t) = @_;
    my $token = $t->seed('acme');
    $t->start;
    my $self = bless { t => $t, scim => $t->client(token => $token), client => $t->client }, $class;
    my %user = map { $_ => $self->create(Users => Scim::user($_, active => $_ eq 'eve' ? JSON::PP::false : JSON::PP::true,
        roles => [{ value => "$_-role" }])) } qw(ada bob eve);
    $self->create(Groups => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins',
        members => [{ value => $user{ada} }] });
    $self->{id} = \%user;
    return $self;
}

# Creates a resource below /scim/v2 and returns its id.
sub create {
    my ($self, $type, $resource) = @_;
    my $r = $self->{scim}->request(POST => "/scim/v2/$type", json => $resource);
    $r->{status} == 201 or die "no $type: $r->{status} $r->{body}";
    return $r->{json}{id};
}

# GET of a path as a user (undef: nobody) with more header fields, on the kept connection.
sub ask {
    my ($self, $path, $user, @headers) = @_;
    return $self->{client}->request(GET => $path, headers => [defined $user ? ('X-Remote-User' => $user) : (), @headers]);
}

# Starts an application in a process of its own, which ends with the returned object. It answers each request with the
# variables that it got, one "NAME=value" a line. Kinds:
#   http      NAMEs are the header fields as sent, and REQUEST. Of the query: accel=URI answers X-Accel-Redirect,
#             hang=1 answers nothing, status=N, reply=NAME:VALUE adds a header field
#   fastcgi, scgi, uwsgi    NAMEs are the CGI variables
# With log => FILE each request is appended to the file. With port => N it listens there. With answer => sub an application of
# kind http answers what the code returns for the text: (status, ["Name: value", …], body).
sub application {
    my ($kind, %o) = @_;
    my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', ReuseAddr => 1,
        $o{port} ? (LocalPort => $o{port}) : ()) or die "no application: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        while (my $c = $listener->accept) { eval { _serve($kind, $c, %o) } }
        POSIX::_exit(0);
    }
    return bless { pid => $pid, port => $listener->sockport, owner => $$ }, 'Scim::Gate::Application';
}

# The value of a header in the answer of an application of kind http, as CGI, WSGI and PHP see it: "-" and "_" are the same,
# and repeated headers are joined.
sub cgi_value {
    my ($text, $name) = @_;
    my $form = uc $name =~ tr/-/_/r;
    return join ',', map { /^([^=]+)=(.*)$/ && uc($1 =~ tr/-/_/r) eq $form ? $2 : () } split /\n/, $text;
}

sub _take {
    my ($c, $size) = @_;
    my $bytes = '';
    while (length $bytes < $size) { sysread $c, $bytes, $size - length $bytes, length $bytes or die "short request\n" }
    return $bytes;
}

sub _serve {
    my ($kind, $c, %o) = @_;
    my @got = { http => \&_http, fastcgi => \&_fastcgi, scgi => \&_scgi, uwsgi => \&_uwsgi }->{$kind}->($c);
    my $text = '';
    while (my ($name, $value) = splice @got, 0, 2) { $text .= "$name=$value\n" }
    if ($o{log}) {
        open my $log, '>>', $o{log} or die "$o{log}: $!";
        print $log "$text\n";
        close $log;
    }
    my %query = $kind eq 'http' && $text =~ /\AREQUEST=\S+ [^?\s]*\?(\S+)/ ? map { split /=/, $_, 2 } split /&/, $1 : ();
    if ($query{hang}) { sysread $c, my $byte, 1; close $c; return }
    if ($o{answer}) {
        my ($status, $headers, $body) = $o{answer}->($text);
        syswrite $c, join "\r\n", "HTTP/1.1 $status OK", 'Content-Length: ' . length $body, 'Connection: close', @$headers, '', $body;
        close $c;
        return;
    }
    my $head = join "\r\n", $kind eq 'http' ? "HTTP/1.1 @{[ $query{status} // 200 ]} OK" : 'Status: 200 OK',
        'Content-Type: text/plain', 'Content-Length: ' . length $text, $kind eq 'http' ? 'Connection: close' : (),
        $query{accel} ? "X-Accel-Redirect: $query{accel}" : (), $query{reply} // ();
    my $answer = "$head\r\n\r\n$text";
    $answer = pack('CCnnCx', 1, 6, 1, length $answer, 0) . $answer . pack('CCnnCxNx4', 1, 3, 1, 8, 0, 0) if $kind eq 'fastcgi';
    syswrite $c, $answer;
    close $c;
    return;
}

sub _http {
    my ($c) = @_;
    my $head = '';
    while ($head !~ /\r\n\r\n/) { sysread $c, $head, 65536, length $head or die "no request\n" }
    ($head, my $body) = split /\r\n\r\n/, $head, 2;
    my ($first, @lines) = split /\r\n/, $head;
    my @fields = map { split /: ?/, $_, 2 } @lines;
    my ($length) = $head =~ /^content-length: (\d+)/im;
    $body .= _take($c, $length - length $body) if ($length // 0) > length $body;
    return (REQUEST => $first, @fields, BODY => length $body);
}

sub _fastcgi {
    my ($c) = @_;
    my $params = '';
    while (1) {
        my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', _take($c, 8);
        my $content = $length ? _take($c, $length) : '';
        _take($c, $padding) if $padding;
        $params .= $content if $type == 4;
        last if $type == 5 && !$length;
    }
    my @got;
    while (length $params) {
        my @size = map { my $n = unpack 'C', $params; my $long = $n & 0x80;
            $n = unpack('N', $params) & 0x7fffffff if $long; substr $params, 0, $long ? 4 : 1, ''; $n } 1, 2;
        push @got, map substr($params, 0, $_, ''), @size;
    }
    return @got;
}

sub _scgi {
    my ($c) = @_;
    my ($size, $byte) = ('', '');
    while (($byte = _take($c, 1)) ne ':') { $size .= $byte }
    my @got = split /\0/, _take($c, $size), -1;
    pop @got;
    _take($c, 1);
    return @got;
}

sub _uwsgi {
    my ($c) = @_;
    my (undef, $length) = unpack 'CvC', _take($c, 4);
    return unpack '(v/a)*', _take($c, $length);
}

package Scim::Gate::Application;

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!);
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;
